"""The pages and the API: thin over actions, the store's AccessScope and the handle on one's journal."""
