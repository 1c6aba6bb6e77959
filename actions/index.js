require('./main.js').whole();
