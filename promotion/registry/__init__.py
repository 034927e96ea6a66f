"""Reading and writing a model registry; ``interface.py`` says what every registry must give."""
