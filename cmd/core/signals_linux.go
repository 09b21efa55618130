package core

import "syscall"

// stackFault is a signal that Linux alone has, and that ends a program all the same.
const stackFault = syscall.SIGSTKFLT
