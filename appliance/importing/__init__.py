"""Mail brought along from elsewhere: out of files, or from another server."""
