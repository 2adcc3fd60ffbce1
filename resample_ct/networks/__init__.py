"""The networks themselves, and the settings that rebuild each of them; no weights, no files."""
