"""Adapters as OCI images: packed, pushed, pulled and unpacked, with the layout that Kaito uses."""
