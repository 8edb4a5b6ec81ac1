package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

var (
	// ErrDir says that the data directory cannot be made, or not be written.
	ErrDir = errors.New("the data directory cannot be used")
	// ErrDiskFull says that the disk of the data directory has no room to work with.
	ErrDiskFull = errors.New("the disk is full")
)

// A LockedError says that another process uses a data directory.
type LockedError struct {
	Dir string
	PID int // 0 when it is not known
}

// Error names the directory and the process.
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("the data directory %s is in use by another process", e.Dir)
	}
	return fmt.Sprintf("the data directory %s is in use by another process (pid %d)", e.Dir, e.PID)
}

const lockFile = "lock"

// A dirLock keeps other processes from a directory. The operating system takes it
// back when the process dies, however it dies.
type dirLock struct{ file *os.File }

// lockDir makes a directory where it is missing, and locks it.
func lockDir(dir string) (*dirLock, error) {
	if dir == "" {
		return nil, fmt.Errorf("%w: none is given", ErrDir)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, dirError(dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, dirError(dir, err)
	}
	l := &dirLock{file: f}
	if err := l.take(dir); err != nil {
		l.release()
		return nil, err
	}
	if err := l.writePID(); err != nil {
		l.release()
		return nil, dirError(dir, err)
	}
	return l, nil
}

// CheckDir returns a [*LockedError] when another process uses a data directory. It
// changes nothing there.
func CheckDir(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if err != nil {
		return nil // nobody uses it; whether it can be used is told by Start
	}
	l := &dirLock{file: f}
	defer l.release()
	return l.take(dir)
}

func (l *dirLock) take(dir string) error {
	err := syscall.Flock(int(l.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return &LockedError{Dir: dir, PID: readPID(l.file)}
	}
	return fmt.Errorf("%w: lock %s: %w", ErrDir, dir, err)
}

func (l *dirLock) writePID() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// release gives the directory free. The file stays: removing it would let two others
// lock two files of one name.
func (l *dirLock) release() { _ = l.file.Close() } // closing is what unlocks; there is nothing to write

func readPID(f *os.File) int {
	text := make([]byte, 16)
	n, _ := f.ReadAt(text, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		return 0
	}
	return pid
}

func dirError(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %s is not writable: %w", ErrDir, dir, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: data directory %s: %w", ErrDiskFull, dir, err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: a part of %s is a file: %w", ErrDir, dir, err)
	}
	return fmt.Errorf("%w: %w", ErrDir, err)
}
