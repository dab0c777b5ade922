"""Point-of-sale adapters, one package a vendor."""
