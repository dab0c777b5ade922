"""The POS as files: inventory, sales and events in CSV."""
