"""What energy came to: grams by both accounting methods and money, by the quarter hour in which it was drawn."""
