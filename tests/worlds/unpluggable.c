/* A virtual reader that can be unplugged: vpcd, until the file at $DOORSILL_UNPLUGGED is
 * there. Then every call says IFD_NO_SUCH_DEVICE, as a USB reader's driver does, and
 * pcscd, when it looks at its readers again (SIGUSR1), removes this one. */
#include <PCSC/ifdhandler.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int gone(void)
{
    const char *path = getenv("DOORSILL_UNPLUGGED");
    return path && access(path, F_OK) == 0;
}

static void *vpcd(const char *name)
{
    static void *library;
    if (!library)
        library = dlopen(getenv("DOORSILL_VPCD"), RTLD_NOW);
    return library ? dlsym(library, name) : NULL;
}

/* A function of vpcd's with the same name and arguments, unless the reader is gone. */
#define PASS(name, declared, passed)                                    \
    RESPONSECODE name declared                                          \
    {                                                                   \
        RESPONSECODE (*real) declared = vpcd(#name);                    \
        return gone() || !real ? IFD_NO_SUCH_DEVICE : real passed;      \
    }

PASS(IFDHCreateChannelByName, (DWORD lun, LPSTR device), (lun, device))
PASS(IFDHCreateChannel, (DWORD lun, DWORD channel), (lun, channel))
PASS(IFDHGetCapabilities, (DWORD lun, DWORD tag, PDWORD length, PUCHAR value),
     (lun, tag, length, value))
PASS(IFDHSetCapabilities, (DWORD lun, DWORD tag, DWORD length, PUCHAR value),
     (lun, tag, length, value))
PASS(IFDHSetProtocolParameters,
     (DWORD lun, DWORD protocol, UCHAR flags, UCHAR pts1, UCHAR pts2, UCHAR pts3),
     (lun, protocol, flags, pts1, pts2, pts3))
PASS(IFDHPowerICC, (DWORD lun, DWORD action, PUCHAR atr, PDWORD length),
     (lun, action, atr, length))
PASS(IFDHTransmitToICC,
     (DWORD lun, SCARD_IO_HEADER to, PUCHAR sent, DWORD sent_length, PUCHAR got,
      PDWORD got_length, PSCARD_IO_HEADER from),
     (lun, to, sent, sent_length, got, got_length, from))
PASS(IFDHControl,
     (DWORD lun, DWORD code, PUCHAR sent, DWORD sent_length, PUCHAR got,
      DWORD got_length, LPDWORD returned),
     (lun, code, sent, sent_length, got, got_length, returned))
PASS(IFDHICCPresence, (DWORD lun), (lun))

/* Closing is always passed on, or vpcd would keep its port. */
RESPONSECODE IFDHCloseChannel(DWORD lun)
{
    RESPONSECODE (*real)(DWORD) = vpcd("IFDHCloseChannel");
    return real ? real(lun) : IFD_COMMUNICATION_ERROR;
}
