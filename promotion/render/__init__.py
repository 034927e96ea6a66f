"""Decision, plan and the like → text, markdown, JSON, marks: one function for each view, nothing is printed here."""
