#!/bin/busybox sh
# The small system: find the slot of the kernel line, check each block of it as it is read
# (dm-verity), make it the root. It knows no other way to start: what does not verify stops.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev

say() {
  echo "doorsill: $*" >/dev/kmsg
}

stop() {
  say "$*"
  echo "doorsill: $*"
  sleep 10
  echo b >/proc/sysrq-trigger
  sleep 60
}

for name in $(cat /modules); do
  insmod "/m/$name.ko" || stop "the module $name does not load"
done

slot= verity= layer=
for word in $(cat /proc/cmdline); do
  case $word in
    doorsill.slot=*) slot=${word#*=} ;;
    doorsill.verity=*) verity=${word#*=} ;;
    doorsill.layer=*) layer=${word#*=} ;;
  esac
done
case $slot in a | b) ;; *) stop "the kernel line names no slot (doorsill.slot=a or b)" ;; esac
blocks=${verity%%:*} hash=${verity#*:}
[ "${#hash}" = 64 ] || stop "the kernel line has no root hash (doorsill.verity=BLOCKS:HASH)"

# Say the device of the partition that is named $1, waiting for it $2 tenths of a second:
# a card takes its time to appear. Where $3 is a disk, only a partition of it counts.
find_partition() {
  tries=0
  while :; do
    for each in /sys/class/block/*/uevent; do
      grep -qx "PARTNAME=$1" "$each" 2>/dev/null || continue
      each=${each%/uevent}
      each=${each##*/}
      if [ -z "$3" ] || [ "$(disk_of "$each")" = "$3" ]; then
        echo "$each"
        return
      fi
    done
    [ $tries -lt "$2" ] || return
    usleep 100000
    tries=$((tries + 1))
  done
}

# Say the disk that the partition $1 is a part of.
disk_of() {
  basename "$(readlink -f "/sys/class/block/$1/..")"
}

part=$(find_partition "system_$slot" 300)
[ -n "$part" ] || stop "no partition is named system_$slot"
# State is on the same card: a stick with a partition of that name is somebody else's.
disk=$(disk_of "$part")
state=$(find_partition state 0 "$disk")

# The card is larger than the image: what is left becomes part of "state". Once, and before
# anything of the card is in use. SLACK: sectors of the table at the end, and of alignment.
SLACK=16384
grown=
if [ -n "$state" ]; then
  number=$(cat "/sys/class/block/$state/partition")
  end=$(($(cat "/sys/class/block/$state/start") + $(cat "/sys/class/block/$state/size")))
  if [ $(($(cat "/sys/class/block/$disk/size") - end)) -gt $SLACK ]; then
    echo ", +" | sfdisk --quiet --no-reread --wipe never -N "$number" "/dev/$disk" &&
      blockdev --rereadpt "/dev/$disk" || say "the partition of state cannot grow"
    grown=yes
    # The table was read again, so the devices are other ones.
    part=$(find_partition "system_$slot" 300 "$disk")
    state=$(find_partition state 100 "$disk")
  fi
fi

sectors=$((blocks * 8))
mkdir -p /ro /new
dmsetup create system --readonly --noudevsync --table \
  "0 $sectors verity 1 /dev/$part /dev/$part 4096 4096 $blocks $blocks sha256 $hash -" ||
  stop "system_$slot: the check of its blocks cannot be set up"
mount -t squashfs -o ro /dev/dm-0 /ro || stop "system_$slot does not verify or is no system"
@LAYER@
# What stays on the device. Without it the system starts all the same, and says so.
if [ -n "$state" ]; then
  e2fsck -p "/dev/$state" || [ $? -lt 4 ] || say "state is damaged: e2fsck -p gave up"
  if mount -t ext4 -o nosuid,nodev,noexec,noatime,errors=remount-ro "/dev/$state" "$root/state"; then
    [ -z "$grown" ] || resize2fs "/dev/$state" || say "the file system of state cannot grow"
  else
    say "state cannot be mounted"
  fi
else
  say "no partition of $disk is named state"
fi
umount /proc
umount /sys
mount --move /dev "$root/dev"
exec switch_root "$root" /sbin/init
