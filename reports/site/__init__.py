"""The pages: of a run, of all published runs, and of the documents."""
