"""The command `placet`: runs workflows, shows them, and lets people step in."""
