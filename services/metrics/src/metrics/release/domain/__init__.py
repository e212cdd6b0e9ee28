"""Losses and their ledger, mechanisms and their theory, the questions and their figures: pure."""
