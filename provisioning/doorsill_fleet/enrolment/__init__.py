"""From a voucher to a certificate: what is asked, what is refused, who is served."""
