"""Backups of the stores and their restore tests, as CronJobs."""
