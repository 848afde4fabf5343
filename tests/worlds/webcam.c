/* A webcam that is not there, for LD_PRELOAD: a V4L2 driver behind open and ioctl.
 *
 * What FFmpeg's V4L2 input asks of a kernel driver is answered here; it, PyAV and our
 * camera run as they are. /dev/video7 gives 640 x 480 YUYV at 30 frames a second, red on
 * the left, blue on the right, brighter from frame to frame, each with the time at which
 * it was taken. After DOORSILL_WEBCAM_FRAMES frames it is unplugged.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WIDE = 640, HIGH = 480, SIZE = WIDE * HIGH * 2, BUFFERS = 4, RATE = 30 };

static int camera = -1;
static unsigned char *memory;
static int queue[BUFFERS], queued, taken;
static struct timespec next;

static int plug_in(void)
{
	camera = memfd_create("webcam", MFD_CLOEXEC);
	if (camera < 0 || ftruncate(camera, (off_t)SIZE * BUFFERS))
		return -1;
	memory = mmap(NULL, (size_t)SIZE * BUFFERS, PROT_READ | PROT_WRITE, MAP_SHARED,
		      camera, 0);
	return memory == MAP_FAILED ? -1 : camera;
}

int open64(const char *path, int flags, ...)
{
	int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
	va_list rest;
	va_start(rest, flags);
	int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
	va_end(rest);
	return strcmp(path, "/dev/video7") ? real(path, flags, mode) : plug_in();
}

static void format(struct v4l2_pix_format *pix)
{
	pix->width = WIDE, pix->height = HIGH, pix->field = V4L2_FIELD_NONE;
	pix->pixelformat = V4L2_PIX_FMT_YUYV;
	pix->bytesperline = WIDE * 2, pix->sizeimage = SIZE;
}

static void expose(unsigned char *pair)
{
	for (int i = 0; i < WIDE * HIGH / 2; i++, pair += 4) {
		int left = i % (WIDE / 2) < WIDE / 4;
		pair[0] = pair[2] = 60 + taken * 2;
		pair[1] = left ? 90 : 200;  /* U: blue */
		pair[3] = left ? 200 : 90;  /* V: red */
	}
}

static int take(struct v4l2_buffer *buffer)
{
	const char *frames = getenv("DOORSILL_WEBCAM_FRAMES");
	if (taken >= (frames ? atoi(frames) : 30) || !queued)
		return errno = ENODEV, -1;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL))
		;
	buffer->index = queue[0];
	memmove(queue, queue + 1, sizeof(int) * --queued);
	expose(memory + (size_t)SIZE * buffer->index);
	buffer->bytesused = buffer->length = SIZE;
	buffer->sequence = taken++, buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	buffer->timestamp.tv_sec = next.tv_sec;
	buffer->timestamp.tv_usec = next.tv_nsec / 1000;
	next.tv_nsec += 1000000000 / RATE;
	next.tv_sec += next.tv_nsec / 1000000000;
	next.tv_nsec %= 1000000000;
	return 0;
}

static int answer(unsigned long request, void *argument)
{
	struct v4l2_capability *able = argument;
	struct v4l2_buffer *buffer = argument;
	struct v4l2_captureparm *rate = &((struct v4l2_streamparm *)argument)->parm.capture;
	switch (request) {
	case VIDIOC_QUERYCAP:
		memset(able, 0, sizeof *able);
		able->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
		return 0;
	case VIDIOC_G_INPUT:
		return *(int *)argument = 0;
	case VIDIOC_ENUMINPUT:
		memset((char *)argument + sizeof(int), 0,
		       sizeof(struct v4l2_input) - sizeof(int));
		return 0;
	case VIDIOC_G_FMT:
	case VIDIOC_S_FMT:
		return format(&((struct v4l2_format *)argument)->fmt.pix), 0;
	case VIDIOC_G_PARM:
	case VIDIOC_S_PARM:
		rate->capability = V4L2_CAP_TIMEPERFRAME;
		rate->timeperframe = (struct v4l2_fract){1, RATE};
		return 0;
	case VIDIOC_REQBUFS:
		((struct v4l2_requestbuffers *)argument)->count = BUFFERS;
		return 0;
	case VIDIOC_QUERYBUF:
		buffer->length = SIZE, buffer->m.offset = SIZE * buffer->index;
		return 0;
	case VIDIOC_QBUF:
		queue[queued++] = buffer->index;
		return 0;
	case VIDIOC_DQBUF:
		return take(buffer);
	case VIDIOC_STREAMON:
		return clock_gettime(CLOCK_MONOTONIC, &next);
	case VIDIOC_STREAMOFF:
		return 0;
	}
	return errno = ENOTTY, -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
	va_list rest;
	va_start(rest, request);
	void *argument = va_arg(rest, void *);
	va_end(rest);
	/* FFmpeg passes requests as int: the sign comes along. */
	request &= 0xffffffffUL;
	return fd >= 0 && fd == camera ? answer(request, argument) : real(fd, request, argument);
}
