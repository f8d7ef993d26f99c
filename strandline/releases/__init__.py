"""Promotion: from what one environment runs to what the next one deploys."""
