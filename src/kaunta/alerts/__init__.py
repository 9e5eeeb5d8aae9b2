"""Problems as alerts: who has seen one, and how long it lasted."""
