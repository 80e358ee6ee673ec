"""Results as pages, tables, figures, the README's section and W&B tables: ``python -m experiments render``."""
