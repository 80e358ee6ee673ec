"""The released code's networks and its distillation step, written plainly in float32: fixed slow code to compare with.

Modules carry the names of ours, so that ``load_state_dict`` takes the weights of ours and outputs can be compared.
Nothing here is ever made faster.
"""
