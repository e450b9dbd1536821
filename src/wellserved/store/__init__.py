"""What a team holds together: people, teams, customers, accounts, shared moments, keys; and who may see what."""
