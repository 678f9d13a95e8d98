"""The audit trail: who asked what about whom; on local disk before the answer leaves, kept for 36 months."""
