"""READ: files of events become events. Knows nothing of Pipedrive, the mapping, or what happened before."""
