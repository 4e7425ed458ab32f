"""The mathematics: hypothesis spaces, targets, learners, error decomposition and bounds on torch and pydantic.

Nothing here knows of HTTP, queues, SQL, the clock or the environment.
"""
