"""The migrations. A file name begins with its revision, four digits, in the order they are applied."""
