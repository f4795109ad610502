"""The custom resources: models, CRDs, defaults, admission rules, and the names they use. Imports nothing of kaito."""
