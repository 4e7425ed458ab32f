"""The worker: claims jobs, runs each in a process of its own, stores what they leave behind. It knows no kind."""
