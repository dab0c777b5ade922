"""METRC's Web API v2: what is known about it (wire) and what carries it (client)."""
