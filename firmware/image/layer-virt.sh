# A virtual camera alone: a second disk over the system, for tests. It is not kept.
root=/ro
if [ -n "$layer" ]; then
  mkdir -p /layer /rw
  mount -t squashfs -o ro "$layer" /layer || stop "$layer: no layer is there"
  mount -t tmpfs -o mode=0755 rw /rw
  mkdir -p /rw/upper /rw/work
  mount -t overlay -o lowerdir=/layer:/ro,upperdir=/rw/upper,workdir=/rw/work layer /new ||
    stop "$layer cannot be laid over the system"
  root=/new
fi
