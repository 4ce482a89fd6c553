"""What the acceptance tests stand on: the product as a program, projects in Git, real databases."""
