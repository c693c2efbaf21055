"""Data: reading logs from files and tables, keeping them, filtering, summarising, splitting and simulating them."""
