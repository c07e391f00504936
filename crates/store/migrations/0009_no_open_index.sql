-- Nothing asks for open calls alone any more: see call_unfinished of 0006.
DROP INDEX call_open;
