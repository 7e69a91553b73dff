// Macros that well-known headers define and that a guest header must survive, and must leave as they are.
// Included after the standard library, Asio and nlohmann/json, which do not all survive them, and before ours.
#pragma once

// windows.h and its family
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define near
#define far
#define small char
#define interface struct
#define IN
#define OUT
#define OPTIONAL
#define IGNORE 0
#define ERROR 0
#define NO_ERROR 0
#define DELETE (0x00010000L)
#define STRICT 1
#define CONST const
#define TRUE 1
#define FALSE 0
#define ABSOLUTE 1
#define RELATIVE 2
#define GetMessage GetMessageW
#define SendMessage SendMessageW
#define PostMessage PostMessageW
#define GetObject GetObjectW
#define CreateEvent CreateEventW
#define Yield()

// X11/X.h, X11/Xlib.h
#define None 0L
#define Bool int
#define Status int
#define True 1
#define False 0
#define Success 0
#define Always 2

// sys/sysmacros.h, termios.h, signal-happy application headers
#define major(device) ((device) >> 8)
#define minor(device) ((device) & 0xff)
#define ECHO 0000010
#define DEBUG 1
#define INFO 2
#define VERSION "1.0"
