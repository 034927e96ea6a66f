"""GitHub, as far as the workflows speak to it: comments, issues, pull requests and who reviewed them."""
