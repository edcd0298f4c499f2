"""The project around the apps: settings, embedded servers, the launcher behind `make run`."""
