"""How fast Flavor Sync is, and how fast it could be: see docs/performance.md."""
