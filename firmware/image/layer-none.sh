root=/ro
