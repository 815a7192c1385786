"""The bytes of files: unpacked, checked, and cut into lines."""
