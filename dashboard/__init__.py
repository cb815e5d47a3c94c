"""The answers to the questions of docs/questions.md as one page with plots: ``make dashboard``."""
