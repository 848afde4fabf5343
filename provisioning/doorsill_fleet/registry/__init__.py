"""Who belongs to the fleet: sites, cameras, vouchers, certificates."""
