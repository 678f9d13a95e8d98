"""Configuration: the typed tree of settings, the throttle groups of the contract, and the clock."""
