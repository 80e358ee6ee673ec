"""How much memory a training needs, told before it starts: ``python train.py +plan=true``."""
