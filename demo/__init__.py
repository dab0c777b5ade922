"""A store in a box: METRC, POS and Slack on loopback, and a shop that can be broken."""
