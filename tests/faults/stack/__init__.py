"""Faults on the whole product, through its gateway: power loss, lost topics, restored databases."""
