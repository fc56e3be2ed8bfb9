"""What the package bears: accidents, and what strangers hand it. Figures of docs/robustness.md."""
