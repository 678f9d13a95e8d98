"""The public status: how providers have been answering, their maintenances, and the page that tells it."""
