"""The API as its reader sees it: `openapi.json` with every answer, refusal and example."""
