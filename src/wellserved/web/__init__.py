"""The pages and the API: thin over actions, the store's Scope and the journal's Book."""
