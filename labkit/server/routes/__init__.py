"""What can be asked over HTTP: each module one part of the paths under `/api/v1`."""
