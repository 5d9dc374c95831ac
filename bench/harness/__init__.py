"""bench/run in parts: sections that measure (scaling, realistic, keys, clients, store, plan), what
is reckoned from their rows (growth, targets), and how it is shown (tables, charts, summary)."""
